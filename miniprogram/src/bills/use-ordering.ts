import { post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { intention } from './rules'

interface Wanted {
  bill_no: string
  version: number
  total_fen: number
  order_id: string | null
  being_paid: boolean
}

/** Ordering bills of one patient to be paid together. When it is refused what was shown told an old story: `reload`. */
export function useOrdering(reload: () => Promise<void>) {
  const { act, isDoing, failed } = useAct(async (patient_id: string, some: readonly Wanted[]) => {
    const bills = some.map(({ bill_no, version, total_fen }) => ({ bill_no, version, total_fen }))
    return post('/api/billing/orders', { body: { patient_id, bills }, intention: intention(patient_id, some) })
  })

  /** The order's id; undefined when it failed. */
  async function order(patientId: string, some: readonly Wanted[]): Promise<string | undefined> {
    const made = await act(patientId, some)
    if (!made && failed.value)
      await reload()
    return made?.id
  }

  return { order, isOrdering: isDoing, refused: failed }
}
