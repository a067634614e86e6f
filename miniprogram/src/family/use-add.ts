import { computed, reactive, watch } from 'vue'
import { get, post } from '@/api/request'
import { serverNow } from '@/api/server-time'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { host } from '@/platform'
import { usePatients } from '@/session/patients'
import { dayOf } from '@/words/time'
import type { Draft } from './rules'
import { asksBirth, asksGuardian, blank, missing } from './rules'

const NAME = 'draft:patient'
const KEPT_MS = 30 * 60_000

/** Adding a patient: what was typed stays until it is sent, for half an hour, on this phone alone. */
export function useAdd(clock: () => number = serverNow) {
  const patients = usePatients()
  const kept = host.storage.get(NAME) as { at: number, draft: Draft } | undefined
  const isFresh = kept !== undefined && clock() - kept.at < KEPT_MS
  if (!isFresh)
    host.storage.remove(NAME) // somebody's number: it does not stay longer than it is of use
  const draft = reactive(isFresh ? kept.draft : blank())
  watch(draft, () => host.storage.set(NAME, { at: clock(), draft: { ...draft } }), { deep: true })

  const { data, failed, isLoading, load } = useLoad(() => get('/api/account/consents'))
  const years = computed(() => data.value?.guardian_below_age ?? 0)
  const needsGuardian = computed(() => asksGuardian(draft, dayOf(clock()), years.value))
  const texts = computed(() => (data.value?.texts ?? [])
    .filter(one => one.purpose === 'HEALTH_DATA' || (one.purpose === 'CHILD_GUARDIAN' && needsGuardian.value)))
  const lacks = computed(() => missing(draft, texts.value.map(one => one.purpose), dayOf(clock()), years.value))

  const adding = useAct(async () => {
    const added = await post('/api/account/patients', {
      body: {
        name: draft.name, id_type: draft.id_type, id_number: draft.id_type === 'NONE' ? '' : draft.id_number,
        phone: draft.phone, relation: draft.relation,
        sex: asksBirth(draft.id_type) && draft.sex ? draft.sex : null,
        birth_date: asksBirth(draft.id_type) && draft.birth_date ? draft.birth_date : null,
        guardian: needsGuardian.value
          ? { name: draft.guardian_name, id_type: 'ID_CARD', id_number: draft.guardian_id_number }
          : null,
        consents: texts.value.map(one => ({ purpose: one.purpose as 'HEALTH_DATA' | 'CHILD_GUARDIAN', version: one.version })),
      },
    })
    host.storage.remove(NAME)
    patients.choose(added.id)
    await patients.load(true)
    return added
  })

  function agree(purpose: string): void {
    draft.agreed = draft.agreed.includes(purpose) ? draft.agreed.filter(one => one !== purpose) : [...draft.agreed, purpose]
  }

  return { draft, texts, today: dayOf(clock()), needsGuardian, lacks, agree, failed, isLoading, load, adding }
}
