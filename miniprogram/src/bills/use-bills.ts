import { computed, ref } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { wayOn } from '@/parts/way-on'
import { host } from '@/platform'
import { usePatients } from '@/session/patients'
import { asCode, chosen, sum } from './rules'
import { useOrdering } from './use-ordering'

/** The unpaid bills of the chosen patient: which are chosen, ordering them, and opening one by the code on its paper. */
export function useBills() {
  const patients = usePatients()
  const skipped = ref<readonly string[]>([])

  const { data, failed, isLoading, load } = useLoad(async () => {
    await patients.load()
    const patient = patients.current
    return { patientId: patient?.id, list: patient && await get('/api/billing/bills', { query: { patient_id: patient.id } }) }
  })
  /** What was fetched, unless it is another patient's than the one chosen since. */
  const list = computed(() => data.value?.patientId === patients.current?.id ? data.value?.list : undefined)
  const toPay = computed(() => chosen(list.value?.bills ?? [], list.value?.live ?? false, skipped.value))
  const way = computed(() => wayOn(failed.value, patients.current?.id))

  function toggle(billNo: string): void {
    skipped.value = skipped.value.includes(billNo) ? skipped.value.filter(one => one !== billNo) : [...skipped.value, billNo]
  }

  const payable = computed(() => chosen(list.value?.bills ?? [], list.value?.live ?? false, []))
  const isAll = computed(() => toPay.value.length === payable.value.length)

  /** All of them, or none when all are chosen. */
  function toggleAll(): void {
    skipped.value = isAll.value ? payable.value.map(one => one.bill_no) : []
  }

  const { order, isOrdering, refused } = useOrdering(load)

  /** The order's id; undefined when nothing is chosen, or it failed. */
  async function pay(): Promise<string | undefined> {
    const patient = patients.current
    return patient && toPay.value.length ? order(patient.id, toPay.value) : undefined
  }

  const scanning = useAct(async () => {
    const text = await host.scan()
    if (!text)
      return undefined
    const { patient_id, bill } = await post('/api/billing/scans', { body: { code: asCode(text) } })
    return { patient: patient_id, bill: bill.bill_no }
  })

  return {
    list, patient: computed(() => patients.current), isKnown: computed(() => patients.all !== undefined),
    failed, way, isLoading, load, toPay, payable, isAll, total: computed(() => sum(toPay.value)), toggle, toggleAll,
    pay, isOrdering, refused, scanning, choose: patients.choose,
  }
}
