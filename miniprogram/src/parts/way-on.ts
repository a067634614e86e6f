/** The step that is missing when the hospital says no: what it is called, and where it is done. */
import type { Failure } from '@/api/errors'

export interface WayOn {
  text: string
  page: string
  values: Record<string, string>
}

/** Undefined when the refusal leads nowhere. `patientId`: whom it was about. */
export function wayOn(failed: Failure | undefined, patientId: string | undefined): WayOn | undefined {
  const person: Omit<WayOn, 'text'> = patientId
    ? { page: '/family/patient', values: { id: patientId } }
    : { page: '/family/patients', values: {} }
  switch (failed?.code) {
    case 'proof_required':
      return { text: '去核验身份', ...person }
    case 'consent_required':
      return { ...person, text: '去阅读并同意', page: patientId ? '/family/consent' : person.page }
    case 'patient_not_found':
      return { text: '查看我的就诊人', page: '/family/patients', values: {} }
    case 'code_of_another':
      return { text: '添加就诊人', page: '/family/add', values: {} }
    default:
      return undefined
  }
}
