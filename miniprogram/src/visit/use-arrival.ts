import type { PaymentSheet } from '@/platform'
import { computed } from 'vue'
import { get, post } from '@/api/request'
import { useLoad } from '@/parts/use-load'
import { usePaying } from '@/parts/use-paying'
import { arrived } from './rules'

/** Checking in (取号): whether it can be done now, and doing it, with the fee first where the hospital wants it then. */
export function useArrival(id: () => string) {
  const { data, failed, load } = useLoad(async () => (await get('/api/checkin/bookings')).bookings)
  const arrival = computed(() => data.value?.find(one => one.id === id()))

  const checkingIn = usePaying({
    open: async () => {
      const { payment } = await post('/api/checkin/bookings/{booking_id}/checkin', { path: { booking_id: id() } })
      return payment as PaymentSheet | null
    },
    look: async () => {
      await load()
      if (failed.value)
        throw failed.value
      return arrival.value ? arrived(arrival.value) : 'pending'
    },
  })

  return { arrival, load, checkingIn }
}
