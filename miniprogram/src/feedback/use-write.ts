/** A word to the hospital, kept on the phone while it is written, until it is sent. */
import { computed, reactive, ref } from 'vue'
import { get, post } from '@/api/request'
import { goInstead } from '@/parts/go'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { host } from '@/platform'
import type { Kind } from '@/words/feedback'
import type { Visit } from './rules'
import { kindOf, unfit, visitWords } from './rules'
import { usePictures } from './use-pictures'

const DRAFT = 'draft:feedback'
const VISITS = 8 // of the latest, to choose from

export type About = 'NOTHING' | 'VISIT' | 'DEPARTMENT' | 'DOCTOR'

export function useWrite() {
  const draft = reactive({ kind: 'COMPLAINT' as Kind, text: '', about: 'NOTHING' as About, aboutId: '' })
  const isTried = ref(false)
  const isSent = ref(false)
  const files = usePictures(keep)
  const visits = useLoad(async () => (await get('/api/booking/bookings', { query: { before: '' } })).bookings)

  function keep(): void {
    const there = files.pictures.value.filter(one => one.id && one.state !== 'failed')
    if (!isSent.value)
      host.storage.set(DRAFT, { ...draft, pictures: there.map(one => one.id) })
  }

  function change(values: Partial<typeof draft>): void {
    Object.assign(draft, values)
    keep()
  }

  /** What was left unsent, unless the page was opened about something. */
  async function open(about: string | undefined, id: string): Promise<void> {
    const kept = host.storage.get(DRAFT) as (Partial<typeof draft> & { pictures?: string[] }) | undefined
    if (kept)
      Object.assign(draft, { kind: kindOf(kept.kind), text: kept.text ?? '', about: kept.about ?? 'NOTHING', aboutId: kept.aboutId ?? '' })
    if (about === 'VISIT' || about === 'DEPARTMENT' || about === 'DOCTOR')
      Object.assign(draft, { about, aboutId: id })
    await Promise.all([visits.load(), files.restore(kept?.pictures ?? [])])
  }

  const choices = computed(() => {
    const some = (visits.data.value ?? []).filter((one, place) => !one.withheld && (place < VISITS || one.id === draft.aboutId))
    return { '': '不指定', ...Object.fromEntries(some.map((one: Visit & { id: string }) => [one.id, visitWords(one)])) }
  })

  const sending = useAct(async () => {
    const { kind, text, about, aboutId } = draft
    const body = { kind, text: text.trim(), about, about_id: aboutId, picture_ids: files.pictures.value.map(one => one.id) }
    const { id } = await post('/api/feedback/complaints', { intention: `complain ${JSON.stringify(body)}`, body })
    isSent.value = true
    host.storage.remove(DRAFT)
    goInstead('/feedback/complaint', { id })
  })

  return { draft, change, open, choices, files, isTried, problem: computed(() => unfit(draft.text, files.pictures.value)), sending }
}
