import { computed } from 'vue'
import { get } from '@/api/request'
import { serverNow } from '@/api/server-time'
import { useLoad } from '@/parts/use-load'
import { dayOf } from '@/words/time'
import { again, nextVisit } from './rules'

/** The next visit and the doctors seen before, in two requests. */
export function useHome(clock: () => number = serverNow) {
  const { data, failed, isLoading, load } = useLoad(async () => {
    const [mine, seen] = await Promise.all([get('/api/booking/bookings'), get('/api/booking/doctors/seen')])
    return { bookings: mine.bookings, doctors: seen.doctors }
  })
  const next = computed(() => nextVisit(data.value?.bookings ?? [], dayOf(clock())))
  const seen = computed(() => again(data.value?.doctors ?? [], data.value?.bookings ?? []))
  return { next, seen, failed, isLoading, isThere: computed(() => data.value !== undefined), load }
}
