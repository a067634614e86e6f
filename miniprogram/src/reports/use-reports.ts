import { computed, ref } from 'vue'
import { get } from '@/api/request'
import { usePages } from '@/parts/use-pages'
import { wayOn } from '@/parts/way-on'
import { usePatients } from '@/session/patients'
import { byVisit } from './rules'

/** The reports of the chosen patient, those of one visit together. */
export function useReports() {
  const patients = usePatients()
  const of = ref<string>()

  const pages = usePages(async (before) => {
    await patients.load()
    const patient_id = patients.current?.id
    if (!patient_id) {
      of.value = undefined
      return { items: [], next: null }
    }
    const page = await get('/api/reports/reports', { query: { patient_id, before } })
    of.value = patient_id
    return { items: page.reports, next: page.next }
  })
  /** What was fetched, unless it is another patient's than the one chosen since. */
  const isTheirs = computed(() => pages.isThere.value && of.value === patients.current?.id)
  const visits = computed(() => isTheirs.value ? byVisit(pages.items.value) : [])
  const way = computed(() => wayOn(pages.failed.value, patients.current?.id))

  return { ...pages, isTheirs, visits, way, patient: computed(() => patients.current), isKnown: computed(() => patients.all !== undefined) }
}
