import { computed } from 'vue'
import { get, remove } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { usePatients } from '@/session/patients'
import { leave } from '@/session/session'

/** Where this account is signed in, and signing out: of one, of all others, here. */
export function useDevices() {
  const patients = usePatients()
  const { data, failed, isLoading, load } = useLoad(async () => {
    const { sessions } = await get('/api/account/sessions')
    return [...sessions.filter(one => one.is_current), ...sessions.filter(one => !one.is_current)]
  })

  const ending = useAct(async (id: string) => {
    await remove('/api/account/sessions/{session_id}', { path: { session_id: id } })
    await load()
  })
  const endingOthers = useAct(async () => {
    await remove('/api/account/sessions/others')
    await load()
  })
  const leaving = useAct(async () => {
    await leave()
    patients.forget()
    return true
  })

  return {
    sessions: data, others: computed(() => (data.value ?? []).filter(one => !one.is_current)),
    failed, isLoading, load, ending, endingOthers, leaving,
    refused: computed(() => [ending, endingOthers, leaving].map(act => act.failed.value).find(Boolean)),
  }
}
