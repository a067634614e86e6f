import { computed } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useAsking } from '@/parts/use-asking'
import { useLoad } from '@/parts/use-load'

/** One paid bill of an order: whether it may be given back on line, and giving it back. */
export function useRefund(orderId: () => string, chargeId: () => string) {
  const path = () => ({ path: { charge_id: chargeId() } })
  const { data, failed, isLoading, load } = useLoad(async () => {
    const order = await get('/api/billing/orders/{order_id}', { path: { order_id: orderId() } })
    const charge = order.charges.find(one => one.id === chargeId())
    const told = charge?.state === 'SETTLED' ? await get('/api/billing/charges/{charge_id}/refundability', path()) : undefined
    return { order, charge, told }
  })

  const refunding = useAct(async () => {
    try {
      await post('/api/billing/charges/{charge_id}/refund', path())
    }
    finally {
      await load()
    }
  })

  const charge = computed(() => data.value?.charge)
  const asking = useAsking(() => charge.value?.state === 'CANCELLING', load)

  return {
    order: computed(() => data.value?.order), charge, told: computed(() => data.value?.told),
    failed, isLoading, load, refunding, asking,
  }
}
