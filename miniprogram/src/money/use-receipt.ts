import { computed } from 'vue'
import { get } from '@/api/request'
import { useAsking } from '@/parts/use-asking'
import { useLoad } from '@/parts/use-load'
import { wayOn } from '@/parts/way-on'
import { Failure } from '@/api/errors'
import { refundMood } from '@/words/payment'

/** One payment's receipt, by its own id or by what it was for. It is asked about while money or an e-bill is on its way. */
export function useReceipt(id: () => string, subjectId: () => string) {
  const { data, failed, isLoading, load } = useLoad(async () =>
    get('/api/billing/payments/{payment_id}', { path: { payment_id: id() || await paymentOf(subjectId()) } }))

  const isUnderWay = computed(() => Boolean(
    data.value?.refunds.some(one => refundMood(one.state) === 'wait')
    || data.value?.invoices.some(one => one.state === 'ORDERED' || one.state === 'WRITING_OFF'),
  ))
  return {
    receipt: data, failed, way: computed(() => wayOn(failed.value, undefined)), isLoading, load,
    asking: useAsking(() => isUnderWay.value, load),
  }
}

/** The payment of an order. It was made just now, or the person has been here before: one of the newest. */
async function paymentOf(subjectId: string): Promise<string> {
  const { payments } = await get('/api/billing/payments')
  const found = payments.find(one => one.subject_id === subjectId)
  if (!found)
    throw new Failure('refused', { code: 'payment_not_found', sentence: '这笔缴费较早，请在“我的缴费”里查找。' })
  return found.id
}
