import { ref } from 'vue'
import { get, post, put, remove } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { host } from '@/platform'
import { usePatients } from '@/session/patients'

/** One of my patients: seen, proven, revealed, made the default, removed. `isAgreed`: asks for the privacy policy first. */
export function usePatient(id: () => string, isAgreed: () => Promise<boolean>) {
  const patients = usePatients()
  const path = () => ({ path: { patient_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/account/patients/{patient_id}', path()))
  const sentTo = ref('')

  const phoneCode = async (event: unknown) => await isAgreed() ? host.phoneCode(event) : null

  const sending = useAct(async () => {
    sentTo.value = (await post('/api/account/patients/{patient_id}/proof-codes', path())).phone
  })
  /** By WeChat's verified number: `event` is the tap's. */
  const provingByPhone = useAct(async (event: unknown) => {
    const code = await phoneCode(event)
    if (code === null)
      return
    await post('/api/account/phone', { body: { code } })
    await post('/api/account/patients/{patient_id}/proof', { ...path(), body: {} })
    await load()
  })
  const provingByCode = useAct(async (sms_code: string) => {
    await post('/api/account/patients/{patient_id}/proof', { ...path(), body: { sms_code } })
    await load()
  })
  const revealing = useAct(async (event: unknown) => {
    const code = await phoneCode(event)
    return code === null ? undefined : post('/api/account/patients/{patient_id}/reveal', { ...path(), body: { code } })
  })
  const preferring = useAct(async () => {
    await put('/api/account/patients/{patient_id}/default', path())
    await Promise.all([load(), patients.load(true)])
  })
  const removing = useAct(async () => {
    await remove('/api/account/patients/{patient_id}', path())
    await patients.load(true)
    return true
  })

  return {
    patient: data, failed, isLoading, load, sentTo, sending, provingByPhone, provingByCode, revealing, preferring, removing,
  }
}
