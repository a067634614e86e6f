/** The hospital's face: name, badge, whom to call, which texts are in force. The last answer is shown at once. */
import type { components } from '@/api/schema'
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { serverNow } from '@/api/server-time'
import { get } from '@/api/request'
import { host } from '@/platform'

export type Profile = components['schemas']['HospitalView']
export type Purpose = Profile['texts'][number]['purpose']

interface Kept {
  at: number
  profile: Profile
}

const NAME = 'hospital'
const FRESH_MS = 10 * 60_000

export const useHospital = defineStore('hospital', () => {
  const kept = host.storage.get(NAME) as Kept | undefined
  const profile = ref(kept?.profile)
  let at = kept?.at ?? 0

  /** Fetches it when the last answer is not fresh any more, or `anew`. Raises `Failure`. */
  async function load(anew = false): Promise<Profile> {
    const age = serverNow() - at
    if (anew || !profile.value || age < 0 || age > FRESH_MS) {
      profile.value = await get('/api/content/hospital', { asNobody: true })
      at = serverNow()
      host.storage.set(NAME, { at, profile: profile.value })
    }
    return profile.value
  }

  /** The version of a text in force, as far as is known; 0: not known. */
  function version(purpose: Purpose): number {
    return profile.value?.texts.find(one => one.purpose === purpose)?.version ?? 0
  }

  return { profile, load, version }
})
