/** What is asked for a person, by the kind of document. The server checks it all again. */
import { DOCUMENTS } from '@/words/patient'

export type Document = keyof typeof DOCUMENTS

export interface Draft {
  name: string
  id_type: Document
  id_number: string
  phone: string
  relation: 'SELF' | 'SPOUSE' | 'CHILD' | 'PARENT' | 'OTHER'
  sex: 'MALE' | 'FEMALE' | ''
  birth_date: string
  guardian_name: string
  guardian_id_number: string
  agreed: string[]
}

export function blank(): Draft {
  return {
    name: '', id_type: 'ID_CARD', id_number: '', phone: '', relation: 'SELF', sex: '', birth_date: '',
    guardian_name: '', guardian_id_number: '', agreed: [],
  }
}

/** The documents that most people have, and the others: a child's are not an adult's. */
export function documentsFor(relation: Draft['relation']): { usual: Partial<typeof DOCUMENTS>, rare: Partial<typeof DOCUMENTS> } {
  const usual: Document[] = relation === 'CHILD' ? ['ID_CARD', 'BIRTH_CERTIFICATE', 'NONE'] : ['ID_CARD']
  const isRare = (code: Document) => !usual.includes(code) && (relation === 'OTHER' || !OF_CHILDREN.includes(code))
  const those = (are: (code: Document) => boolean) =>
    Object.fromEntries(Object.entries(DOCUMENTS).filter(([code]) => are(code as Document)))
  return { usual: those(code => usual.includes(code)), rare: those(isRare) }
}

/** Documents of children alone. */
const OF_CHILDREN: Document[] = ['BIRTH_CERTIFICATE', 'NONE']
/** Documents that say sex and birth date by themselves. */
const TELLING: Document[] = ['ID_CARD', 'PERMANENT_RESIDENT']

export function asksBirth(id_type: Document): boolean {
  return !TELLING.includes(id_type)
}

/** The birth date in an identity card's number, `YYYY-MM-DD`; empty when there is none (yet). */
export function bornBy(draft: Pick<Draft, 'id_type' | 'id_number' | 'birth_date'>): string {
  if (draft.id_type !== 'ID_CARD')
    return draft.birth_date
  const found = /^\d{6}(\d{4})(\d{2})(\d{2})\d{3}[\dX]$/i.exec(draft.id_number.replace(/\s/g, ''))
  return found ? `${found[1]}-${found[2]}-${found[3]}` : ''
}

/** Whether a guardian is asked for: younger than `years` (the hospital's rule) on `today`, a hospital day. */
export function asksGuardian(draft: Pick<Draft, 'id_type' | 'id_number' | 'birth_date'>, today: string, years: number): boolean {
  const born = bornBy(draft)
  if (!born)
    return draft.id_type === 'BIRTH_CERTIFICATE' || draft.id_type === 'NONE'
  return today < `${Number(born.slice(0, 4)) + years}${born.slice(4)}`
}

/** What still has to be filled in, as a sentence; empty when nothing. */
export function missing(draft: Draft, purposes: readonly string[], today: string, years: number): string {
  if (!draft.name.trim())
    return '请填写姓名。'
  if (draft.id_type !== 'NONE' && !draft.id_number.trim())
    return '请填写证件号码。'
  if (asksBirth(draft.id_type) && !draft.birth_date)
    return '请选择出生日期。'
  if (asksBirth(draft.id_type) && !draft.sex)
    return '请选择性别。'
  if (!draft.phone.trim())
    return '请填写手机号码。'
  if (asksGuardian(draft, today, years) && !(draft.guardian_name.trim() && draft.guardian_id_number.trim()))
    return `未满${years}周岁，请填写监护人的姓名和身份证号码。`
  if (purposes.some(one => !draft.agreed.includes(one)))
    return '请阅读并同意下面的说明。'
  return ''
}
