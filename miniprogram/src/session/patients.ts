/** Whom we act for: the account's patients and the one chosen. */
import type { components } from '@/api/schema'
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { get } from '@/api/request'
import { host } from '@/platform'

export type Patient = components['schemas']['PatientView']

const NAME = 'patient'

export const usePatients = defineStore('patients', () => {
  const all = ref<readonly Patient[]>()
  const chosenId = ref(host.storage.get(NAME) as string | undefined)

  /** The chosen one, else the default, else the first. */
  const current = computed<Patient | undefined>(() => {
    const known = all.value ?? []
    return known.find(one => one.id === chosenId.value) ?? known.find(one => one.is_default) ?? known[0]
  })

  /** Fetches them, once unless `anew`. Raises `Failure`. */
  async function load(anew = false): Promise<readonly Patient[]> {
    if (anew || !all.value)
      all.value = (await get('/api/account/patients')).patients
    return all.value
  }

  function choose(id: string): void {
    chosenId.value = id
    host.storage.set(NAME, id)
  }

  /** Nobody is signed in any more. */
  function forget(): void {
    all.value = undefined
    chosenId.value = undefined
  }

  return { all, current, load, choose, forget }
})
