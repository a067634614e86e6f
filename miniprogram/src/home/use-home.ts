import { computed, ref, watch } from 'vue'
import { get } from '@/api/request'
import { serverNow } from '@/api/server-time'
import { useLoad } from '@/parts/use-load'
import { host } from '@/platform'
import { told, whatNext } from '@/words/registration'
import { dayOf } from '@/words/time'
import type { Shape } from './rules'
import { again, nextVisit, stepsOf } from './rules'

const SHAPE = 'home:shape'

/**
 * The next visit, the doctors seen before and how many messages are unread, in one request; and for who has a visit what
 * comes next in it, in another: beside the first one for who had a visit the last time.
 */
export function useHome(clock: () => number = serverNow) {
  const { data, failed, isLoading, load: loadHome } = useLoad(() => get('/api/booking/home'))
  const journey = useLoad(() => get('/api/guide/journey'))
  const isStepKnown = ref(false)
  const next = computed(() => nextVisit(data.value?.bookings ?? [], dayOf(clock())))
  const step = computed(() => stepsOf(journey.data.value?.steps ?? [], next.value?.id))
  const seen = computed(() => again(data.value?.doctors ?? [], data.value?.bookings ?? []))
  const unread = computed(() => data.value?.unread)
  const isThere = computed(() => data.value !== undefined && (!data.value.bookings.length || isStepKnown.value))

  /** How much room the last answer took: as much is kept free for the one under way, and nothing below it jumps. */
  const shape = (host.storage.get(SHAPE) ?? { sentence: 0, seen: 0 }) as Shape
  const hadVisit = shape.sentence > 0
  watch([data, step], () => {
    const sentence = next.value ? (told(step.value.own) ?? whatNext(next.value, clock())).length : 0
    host.storage.set(SHAPE, { sentence, seen: seen.value.length } satisfies Shape)
  })

  async function load(): Promise<void> {
    const early = hadVisit ? journey.load() : undefined
    await loadHome()
    if (data.value?.bookings.length)
      await (early ?? journey.load())
    isStepKnown.value = true
  }

  return { next, step, seen, unread, shape, failed, isLoading, isThere, load }
}
