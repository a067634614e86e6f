import { computed } from 'vue'
import { get } from '@/api/request'
import { useLoad } from '@/parts/use-load'
import { wayOn } from '@/parts/way-on'
import { usePatients } from '@/session/patients'
import { standing } from './rules'
import { useOrdering } from './use-ordering'

/** One bill with its items, and paying it alone. */
export function useBill(patientId: () => string, billNo: () => string) {
  const patients = usePatients()
  const { data, failed, isLoading, load } = useLoad(async () => {
    const [told] = await Promise.all([
      get('/api/billing/bills/{bill_no}', { path: { bill_no: billNo() }, query: { patient_id: patientId() } }),
      patients.load(),
    ])
    return told
  })
  const bill = computed(() => data.value?.bill)
  const isPayable = computed(() => Boolean(data.value?.live && bill.value?.state === 'UNPAID' && standing(bill.value) === 'choose'))
  const { order, isOrdering, refused } = useOrdering(load)

  /** The order's id; undefined when it failed. */
  async function pay(): Promise<string | undefined> {
    return bill.value && isPayable.value ? order(patientId(), [bill.value]) : undefined
  }

  return {
    told: data, bill, isPayable, failed, way: computed(() => wayOn(failed.value, patientId())), isLoading, load,
    pay, isOrdering, refused,
  }
}
