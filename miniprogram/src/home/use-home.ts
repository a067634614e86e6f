import { computed } from 'vue'
import { get } from '@/api/request'
import { serverNow } from '@/api/server-time'
import { useLoad } from '@/parts/use-load'
import { dayOf } from '@/words/time'
import { again, nextVisit } from './rules'

/** The next visit, the doctors seen before and how many messages are unread, in one request. */
export function useHome(clock: () => number = serverNow) {
  const { data, failed, isLoading, load } = useLoad(() => get('/api/booking/home'))
  const next = computed(() => nextVisit(data.value?.bookings ?? [], dayOf(clock())))
  const seen = computed(() => again(data.value?.doctors ?? [], data.value?.bookings ?? []))
  const unread = computed(() => data.value?.unread)
  return { next, seen, unread, failed, isLoading, isThere: computed(() => data.value !== undefined), load }
}
