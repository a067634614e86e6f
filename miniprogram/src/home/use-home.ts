import { computed, watch } from 'vue'
import { get } from '@/api/request'
import { serverNow } from '@/api/server-time'
import { useLoad } from '@/parts/use-load'
import { host } from '@/platform'
import { whatNext } from '@/words/registration'
import { dayOf } from '@/words/time'
import type { Shape } from './rules'
import { again, nextVisit } from './rules'

const SHAPE = 'home:shape'

/** The next visit, the doctors seen before and how many messages are unread, in one request. */
export function useHome(clock: () => number = serverNow) {
  const { data, failed, isLoading, load } = useLoad(() => get('/api/booking/home'))
  const next = computed(() => nextVisit(data.value?.bookings ?? [], dayOf(clock())))
  const seen = computed(() => again(data.value?.doctors ?? [], data.value?.bookings ?? []))
  const unread = computed(() => data.value?.unread)

  /** How much room the last answer took: as much is kept free for the one under way, and nothing below it jumps. */
  const shape = (host.storage.get(SHAPE) ?? { sentence: 0, seen: 0 }) as Shape
  watch(data, () => {
    const sentence = next.value ? whatNext(next.value, clock()).length : 0
    host.storage.set(SHAPE, { sentence, seen: seen.value.length } satisfies Shape)
  })

  return { next, seen, unread, shape, failed, isLoading, isThere: computed(() => data.value !== undefined), load }
}
