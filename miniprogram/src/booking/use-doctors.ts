import { computed, ref } from 'vue'
import { get } from '@/api/request'
import { useLoad } from '@/parts/use-load'
import { byDoctor } from './rules'

/** A department's doctors, on every day on sale, on one of them, or on the day that goes on sale next. */
export function useDoctors(department: () => string) {
  const day = ref('')
  const nextDay = ref('')
  const { data, failed, isLoading, load } = useLoad(async () => {
    const query = { department_id: department() }
    const isNext = day.value !== '' && day.value === nextDay.value
    const [days, release, listed] = await Promise.all([
      get('/api/booking/days', { query }),
      isNext ? get('/api/booking/next-release', { query }) : undefined,
      isNext ? undefined : get('/api/booking/sessions', { query: { ...query, ...(day.value ? { day: day.value } : {}) } }),
    ])
    nextDay.value = days.next_day
    return { days, release, sessions: (release ?? listed)?.sessions ?? [] }
  })

  const strip = computed(() => data.value && [
    ...data.value.days.days,
    { day: data.value.days.next_day, free: 0, note: '待放号' },
  ])

  /** The same day once more: all days. */
  function choose(other: string): Promise<void> {
    day.value = other === day.value ? '' : other
    return load()
  }

  return {
    day, strip, choose, failed, isLoading, load, isThere: computed(() => data.value !== undefined),
    doctors: computed(() => byDoctor(data.value?.sessions ?? [])),
    /** What is shown goes on sale then; undefined: it is on sale. */
    release: computed(() => data.value?.release),
  }
}
