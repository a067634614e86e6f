/** Whether the privacy policy was agreed to on this phone, before the first personal field. */
import { host } from '@/platform'
import { useHospital } from './hospital'

const NAME = 'privacy:agreed'

/** Never agreed to here, or to an older version than the one in force, or the host itself wants it. */
export async function isPrivacyOpen(): Promise<boolean> {
  const agreed = host.storage.get(NAME)
  return typeof agreed !== 'number' || agreed < useHospital().version('PRIVACY_POLICY') || host.wantsPrivacy()
}

/** The person has agreed. */
export function agreeToPrivacy(): void {
  host.storage.set(NAME, Math.max(1, useHospital().version('PRIVACY_POLICY')))
}
