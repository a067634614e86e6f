/** The queue of one registration, asked anew by itself while the page is in sight. */
import { computed, ref } from 'vue'
import { get } from '@/api/request'
import { useLoad } from '@/parts/use-load'

const EVERY = 10_000 // ms; each phone a little otherwise, so that a hall full of them does not ask at once
const SPREAD = 4_000

export function useQueue(id: () => string, random: () => number = Math.random) {
  const { data, failed, isLoading, load } = useLoad(() => get('/api/queue/bookings/{booking_id}', { path: { booking_id: id() } }))
  const isInSight = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined

  function plan(): void {
    clearTimeout(timer)
    timer = setTimeout(async () => {
      await load()
      if (isInSight.value)
        plan()
    }, EVERY + (random() - 0.5) * SPREAD)
  }

  function begin(): void {
    isInSight.value = true
    load()
    plan()
  }

  function end(): void {
    isInSight.value = false
    clearTimeout(timer)
  }

  /** What is shown is older than the last try to get something newer. */
  const isOld = computed(() => data.value !== undefined && (failed.value !== undefined || data.value.stale))
  return { turn: data, failed, isLoading, isOld, load, begin, end }
}

/** Today's registrations, of which one is looked at. */
export function useToday() {
  const { data, failed, isLoading, load } = useLoad(async () => (await get('/api/checkin/bookings')).bookings)
  return { today: data, failed, isLoading, load }
}
