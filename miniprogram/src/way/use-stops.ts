/** What the chosen patient has paid and not done yet, in the order that suits it. */
import { computed } from 'vue'
import { get } from '@/api/request'
import { useLoad } from '@/parts/use-load'
import { wayOn } from '@/parts/way-on'
import { usePatients } from '@/session/patients'

export function useStops() {
  const patients = usePatients()
  const { data, failed, isLoading, load } = useLoad(async () => {
    await patients.load()
    const patient = patients.current
    return { patientId: patient?.id, found: patient && await get('/api/guide/way', { query: { patient_id: patient.id } }) }
  })
  /** What was fetched, unless it is another patient's than the one chosen since. */
  const way = computed(() => data.value?.patientId === patients.current?.id ? data.value?.found : undefined)
  const missing = computed(() => wayOn(failed.value, patients.current?.id))
  const empty = computed(() => {
    if (missing.value)
      return failed.value?.sentence ?? ''
    if (data.value && !patients.current)
      return '还没有就诊人。'
    const some = way.value && [way.value.stops, way.value.drugs, way.value.missed]
    return some?.every(one => !one.length) && !way.value?.done.length ? '没有要去的地方。缴费后，检查、检验和取药的地点会写在这里。' : ''
  })
  return { way, missing, empty, failed, isLoading, load, patients }
}
