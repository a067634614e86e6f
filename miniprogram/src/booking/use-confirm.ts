import type { Ref } from 'vue'
import type { components } from '@/api/schema'
import { computed, ref, shallowRef } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { usePatients } from '@/session/patients'
import { afterRefusal, intention, others } from './rules'
import { useTurn } from './use-turn'

export interface Wanted {
  doctorId: () => string
  sessionId: () => string
  /** It was chosen before it went on sale. */
  isEarly: () => boolean
  now: Readonly<Ref<number>>
  chance?: () => number
}

/** One session about to be taken: its doctor, its places, who goes; the taking itself, and what there is instead. */
export function useConfirm({ doctorId, sessionId, isEarly, now, chance = Math.random }: Wanted) {
  const patients = usePatients()
  const slotId = ref<string | null>(null)

  /** Before the release, with the moment of it; undefined when it is on sale. */
  async function upcoming() {
    const release = await get('/api/booking/next-release', { query: { doctor_id: doctorId() } })
    const session = release.sessions.find(one => one.id === sessionId())
    return session && { session, places: undefined, opensAt: Date.parse(release.opens_at) }
  }

  const { data, failed, isLoading, load } = useLoad(async () => {
    const [doctor, early] = await Promise.all([
      get('/api/booking/doctors/{doctor_id}', { path: { doctor_id: doctorId() } }),
      isEarly() ? upcoming() : undefined,
      patients.load(),
    ])
    if (early)
      return { doctor, ...early }
    const places = await get('/api/booking/sessions/{schedule_id}/slots', { path: { schedule_id: sessionId() } })
    return { doctor, session: doctor.sessions.find(one => one.id === sessionId()), places, opensAt: undefined }
  })

  /** How the patient stands, asked once for each: nobody fetches it again at a release. Not known: the server refuses. */
  const known = shallowRef<{ patientId: string, standing: components['schemas']['StandingView'] }>()
  const standing = computed(() => known.value?.patientId === patients.current?.id ? known.value?.standing : undefined)
  async function lookHowTheyStand(): Promise<void> {
    const patientId = patients.current?.id
    if (!patientId || known.value?.patientId === patientId)
      return
    try {
      known.value = { patientId, standing: await get('/api/booking/standing', { query: { patient_id: patientId } }) }
    }
    catch {
      known.value = undefined
    }
  }

  const session = computed(() => data.value?.session)
  const slots = computed(() => data.value?.places?.slots ?? [])
  /** The place that was chosen. None: the hospital gives one of the next that are free, which may be another's a moment later. */
  const slot = computed(() => slots.value.find(one => one.id === slotId.value))

  const taking = useAct(async (ticket: string) => {
    const one = session.value
    const patient = patients.current
    if (!one || !patient)
      return undefined
    const order = { patient_id: patient.id, schedule_id: one.id, slot_id: slotId.value, fee_fen: one.fee_fen }
    return post('/api/booking/bookings', { body: order, intention: intention(order), ...(ticket ? { ticket } : {}) })
  })
  const turn = useTurn({ scheduleId: sessionId, opensAt: () => data.value?.opensAt, now, taking, chance })

  /** Nothing is left of it, or the hospital has stopped it. */
  const isGone = computed(() => {
    const refused = taking.failed.value
    return (refused !== undefined && afterRefusal(refused) === 'gone')
      || (data.value !== undefined && data.value.opensAt === undefined && !(session.value && slots.value.length))
  })
  const instead = useLoad(async () => {
    const own = data.value?.doctor.sessions ?? []
    const department_id = (session.value ?? own[0])?.department_id ?? data.value?.doctor.departments[0]?.id
    const listed = department_id ? (await get('/api/booking/sessions', { query: { department_id } })).sessions : []
    const gone = { id: sessionId(), doctorId: doctorId(), day: session.value?.visit_date }
    return { department_id, sessions: others([...own, ...listed], gone) }
  })

  async function look(): Promise<void> {
    await load()
    await Promise.all([lookHowTheyStand(), isGone.value ? instead.load() : undefined])
  }

  /**
   * Takes the place. Its registration's id; undefined when it failed. Then the list is fetched anew: it told an old
   * story. After an answer that was lost the choice stays, so that the next tap is the same request.
   */
  async function take(): Promise<string | undefined> {
    const id = await turn.take()
    if (!id) {
      if (taking.failed.value?.isFinal)
        slotId.value = null
      await look()
    }
    return id
  }

  return {
    doctor: computed(() => data.value?.doctor), session, slots, slot, places: computed(() => data.value?.places),
    patient: computed(() => patients.current), standing,
    choose: (id: string) => slotId.value = id,
    failed, isLoading, load: look, take, isTaking: taking.isDoing, refused: taking.failed,
    /** When it goes on sale, in ms; undefined: it is on sale. */
    opensAt: computed(() => data.value?.opensAt), turn,
    isGone, instead: computed(() => instead.data.value),
  }
}
