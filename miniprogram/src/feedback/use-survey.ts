import { computed, reactive } from 'vue'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { wayOn } from '@/parts/way-on'
import type { Answers } from './rules'
import { given, missing } from './rules'

/** The questions about one visit, and the answers until they are sent. */
export function useSurvey(id: () => string) {
  const path = () => ({ path: { booking_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/feedback/visits/{booking_id}/survey', path()))
  const answers = reactive<Answers>({})

  const sending = useAct(async () => {
    await post('/api/feedback/visits/{booking_id}/survey', {
      ...path(),
      body: { version: data.value?.version ?? 1, answers: given(answers) },
    })
    await load()
  })

  return {
    survey: data,
    failed,
    way: computed(() => wayOn(failed.value, undefined)),
    isLoading,
    load,
    answers,
    answer: (question: string, value: number | string) => void (answers[question] = value),
    missing: computed(() => missing(data.value?.questions ?? [], answers)),
    sending,
  }
}
