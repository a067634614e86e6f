/** Consents of one patient: what stands, what is missing and why. */
import type { components } from '@/api/schema'

type Text = components['schemas']['ConsentText']
type Given = components['schemas']['ConsentView']
type Purpose = components['schemas']['ConsentIn']['purpose']

/** `given`: to the text in force. `newer`: to an older one. `withdrawn`: taken back. `never`: not asked yet. */
export type Standing = 'given' | 'newer' | 'withdrawn' | 'never'

export interface Consent {
  purpose: Purpose
  text: Text
  standing: Standing
  /** When it was given, or taken back; empty: never. */
  at: string
}

/** What the account has said for a patient, to each text that concerns them. `missing`: what the server wants for them. */
export function consentsOf(patientId: string, missing: readonly string[], texts: readonly Text[], given: readonly Given[]): Consent[] {
  const mine = given.filter(one => one.patient_id === patientId)
  return texts.flatMap((text) => {
    const [last] = mine.filter(one => one.purpose === text.purpose).sort((a, b) => Date.parse(b.granted_at) - Date.parse(a.granted_at))
    return last || missing.includes(text.purpose) ? [{ purpose: text.purpose as Purpose, text, ...standing(text, last) }] : []
  })
}

function standing(text: Text, last: Given | undefined): { standing: Standing, at: string } {
  if (!last)
    return { standing: 'never', at: '' }
  if (last.withdrawn_at)
    return { standing: 'withdrawn', at: last.withdrawn_at }
  return { standing: last.version === text.version ? 'given' : 'newer', at: last.granted_at }
}

/** Why it has to be agreed to now, as a sentence. */
export function why(one: Standing): string {
  switch (one) {
    case 'newer':
      return '授权书有了新版本，请阅读后重新同意。'
    case 'withdrawn':
      return '你撤回了同意。重新同意后，可以继续挂号、缴费和查看记录。'
    case 'never':
      return '还没有同意过，请阅读后同意。'
    case 'given':
      return ''
  }
}
