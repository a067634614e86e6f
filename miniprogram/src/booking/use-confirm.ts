import { computed, ref } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { usePatients } from '@/session/patients'
import { intention } from './rules'

/** One session about to be taken: its doctor, its places, who goes; and the taking itself. */
export function useConfirm(doctorId: () => string, sessionId: () => string) {
  const patients = usePatients()
  const slotId = ref<string | null>(null)

  const { data, failed, isLoading, load } = useLoad(async () => {
    const [doctor, places] = await Promise.all([
      get('/api/booking/doctors/{doctor_id}', { path: { doctor_id: doctorId() } }),
      get('/api/booking/sessions/{schedule_id}/slots', { path: { schedule_id: sessionId() } }),
      patients.load(),
    ])
    return { doctor, session: doctor.sessions.find(one => one.id === sessionId()), places }
  })

  const session = computed(() => data.value?.session)
  const slots = computed(() => data.value?.places.slots ?? [])
  /** The place that was chosen. None: the hospital gives one of the next that are free, which may be another's a moment later. */
  const slot = computed(() => slots.value.find(one => one.id === slotId.value))

  const taking = useAct(async () => {
    const one = session.value
    const patient = patients.current
    if (!one || !patient)
      return undefined
    const order = { patient_id: patient.id, schedule_id: one.id, slot_id: slotId.value, fee_fen: one.fee_fen }
    return post('/api/booking/bookings', { body: order, intention: intention(order) })
  })

  /**
   * Takes the place. Its registration's id; undefined when it failed. Then the list is fetched anew: it told an old
   * story. After an answer that was lost the choice stays, so that the next tap is the same request.
   */
  async function take(): Promise<string | undefined> {
    const held = await taking.act()
    if (!held) {
      if (taking.failed.value?.isFinal)
        slotId.value = null
      await load()
    }
    return held?.id
  }

  return {
    doctor: computed(() => data.value?.doctor), session, slots, slot, places: computed(() => data.value?.places),
    patient: computed(() => patients.current),
    choose: (id: string) => slotId.value = id,
    failed, isLoading, load, take, isTaking: taking.isDoing, refused: taking.failed,
  }
}
