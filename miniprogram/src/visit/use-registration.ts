import type { PaymentSheet } from '@/platform'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useAsking } from '@/parts/use-asking'
import { useLoad } from '@/parts/use-load'
import { usePaying } from '@/parts/use-paying'
import { isUnderWay, seen, seenMoving } from './rules'

/** One registration: how it stands, paying it, giving it up. */
export function useRegistration(id: () => string) {
  const path = () => ({ path: { booking_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/booking/bookings/{booking_id}', path()))

  const paying = usePaying({
    open: async () => {
      const { payment } = await post('/api/booking/bookings/{booking_id}/payment', path())
      return payment as PaymentSheet | null
    },
    look: async () => {
      await load()
      if (failed.value)
        throw failed.value
      return data.value ? seen(data.value) : 'pending'
    },
  })

  const cancelling = useAct(async () => {
    await post('/api/booking/bookings/{booking_id}/cancellation', path())
    await load()
  })

  /** Paying what a move costs more: the same request as when it was chosen. */
  const moving = usePaying({
    open: async () => {
      const goal = data.value?.moving
      if (!goal)
        return null
      const { schedule_id, slot_id, fee_fen } = goal
      const { payment } = await post('/api/booking/bookings/{booking_id}/move', { ...path(), body: { schedule_id, slot_id, fee_fen } })
      return payment as PaymentSheet | null
    },
    look: async () => {
      await load()
      if (failed.value)
        throw failed.value
      return data.value ? seenMoving(data.value) : 'pending'
    },
  })

  const asking = useAsking(() => data.value !== undefined && paying.step.value !== 'asking'
    && (isUnderWay(data.value) || (data.value.can_pay && paying.step.value === 'unknown')), load)

  return { registration: data, failed, isLoading, load, paying, cancelling, moving, asking }
}
