import { get, remove } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'

/** Which other accounts hold a patient's record, and ending one's hold. */
export function useHolders(id: () => string) {
  const { data, failed, isLoading, load } = useLoad(async () =>
    (await get('/api/account/patients/{patient_id}/holders', { path: { patient_id: id() } })).holders)
  const ending = useAct(async (binding: string) => {
    await remove('/api/account/patients/{patient_id}/holders/{binding_id}', { path: { patient_id: id(), binding_id: binding } })
    await load()
  })
  return { holders: data, failed, isLoading, load, ending }
}
