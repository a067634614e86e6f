import { computed, ref } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { usePatients } from '@/session/patients'
import { ofThatDay } from './rules'

/** A full session that somebody would wait for: alone, or any of the doctor's on that day. */
export function useWait(doctorId: () => string, sessionId: () => string) {
  const patients = usePatients()
  const isAnyOfTheDay = ref(false)

  const { data, failed, isLoading, load } = useLoad(async () => {
    const [doctor] = await Promise.all([
      get('/api/booking/doctors/{doctor_id}', { path: { doctor_id: doctorId() } }), patients.load(),
    ])
    return { doctor, session: doctor.sessions.find(one => one.id === sessionId()) }
  })
  const session = computed(() => data.value?.session)
  /** All of them, when there are several and each is full: else there is nothing to choose. */
  const others = computed(() => ofThatDay(data.value?.doctor.sessions ?? [], session.value))

  const joining = useAct(async () => {
    const one = session.value
    const patient = patients.current
    if (!one || !patient)
      return undefined
    const wish = isAnyOfTheDay.value && others.value.length
      ? { doctor_id: one.doctor_id, day: one.visit_date }
      : { schedule_id: one.id }
    return post('/api/booking/waitlist', { body: { patient_id: patient.id, ...wish } })
  })

  return {
    doctor: computed(() => data.value?.doctor), session, others, isAnyOfTheDay, patient: computed(() => patients.current),
    failed, isLoading, load, join: joining.act, isJoining: joining.isDoing, refused: joining.failed,
  }
}
