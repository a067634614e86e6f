import { computed } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { usePatients } from '@/session/patients'
import type { Consent } from './consents'
import { consentsOf } from './consents'

/** What was consented to for one patient: agreeing (again) and taking back. */
export function useConsent(id: () => string) {
  const patients = usePatients()
  const { data, failed, isLoading, load } = useLoad(async () => {
    const [shown, all] = await Promise.all([get('/api/account/consents'), patients.load(true)])
    const patient = all.find(one => one.id === id())
    return { patient, consents: patient ? consentsOf(patient.id, patient.consents_missing ?? [], shown.texts, shown.given) : [] }
  })

  const granting = useAct(async (some: readonly Consent[]) => {
    for (const one of some)
      await post('/api/account/consents', { body: { patient_id: id(), purpose: one.purpose, version: one.text.version } })
    await load()
    return true
  })
  const withdrawing = useAct(async (one: Consent) => {
    await post('/api/account/consents/withdrawal', { body: { patient_id: id(), purpose: one.purpose } })
    await load()
  })

  return {
    consents: computed(() => data.value?.consents ?? []), isThere: computed(() => data.value?.patient !== undefined),
    isKnown: computed(() => data.value !== undefined),
    missing: computed(() => (data.value?.consents ?? []).filter(one => one.standing !== 'given')),
    failed, isLoading, load, granting, withdrawing,
  }
}
