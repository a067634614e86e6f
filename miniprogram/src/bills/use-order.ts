import type { PaymentSheet } from '@/platform'
import { computed } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useAsking } from '@/parts/use-asking'
import { useLoad } from '@/parts/use-load'
import { usePaying } from '@/parts/use-paying'
import { face, isUnderWay, seen } from './rules'

/** One order: how it stands, paying it, giving it up. It is asked about while something goes on by itself. */
export function useOrder(id: () => string, wait?: (ms: number) => Promise<void>) {
  const path = () => ({ path: { order_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/billing/orders/{order_id}', path()))

  const paying = usePaying({
    open: async () => {
      const { payment } = await post('/api/billing/orders/{order_id}/payment', path())
      return payment as unknown as PaymentSheet
    },
    look: async () => {
      await load()
      if (failed.value)
        throw failed.value
      return data.value ? seen(data.value) : 'pending'
    },
    ...(wait ? { wait } : {}),
  })

  const givingUp = useAct(async () => {
    try {
      await post('/api/billing/orders/{order_id}/cancellation', path())
    }
    finally {
      await load()
    }
  })

  const asking = useAsking(() => data.value !== undefined && paying.step.value !== 'asking'
    && (isUnderWay(data.value) || (data.value.can_pay && paying.step.value === 'unknown')), load)

  return { order: data, face: computed(() => data.value && face(data.value)), failed, isLoading, load, paying, givingUp, asking }
}
