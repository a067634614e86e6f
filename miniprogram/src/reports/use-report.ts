import type { components } from '@/api/schema'
import { computed, ref } from 'vue'
import { Failure } from '@/api/errors'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { wayOn } from '@/parts/way-on'
import { host } from '@/platform'

type Link = components['schemas']['FileLink']
type Revealed = components['schemas']['Revealed']

/** One report, its files, and the second check of one that is kept close. `isAgreed`: asks for the privacy policy first. */
export function useReport(id: () => string, isAgreed: () => Promise<boolean>) {
  const path = () => ({ path: { report_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/reports/reports/{report_id}', path()))
  const revealed = ref<Revealed>()
  const pictures = ref<Record<number, string>>({})
  const sentTo = ref('')

  const report = computed(() => revealed.value?.report ?? data.value)

  async function linkTo(number: number): Promise<Link> {
    const given = revealed.value?.links.find(one => one.number === number)
    const place = { report_id: id(), number: String(number) }
    return given ?? await post('/api/reports/reports/{report_id}/files/{number}/link', { path: place })
  }
  /** A picture appears in its place; anything else is opened by the phone. */
  const opening = useAct(async (number: number) => {
    const link = await linkTo(number)
    if (link.media_type.startsWith('image/')) {
      pictures.value = { ...pictures.value, [number]: link.url }
      return
    }
    try {
      await host.openDocument(link.url)
    }
    catch {
      throw new Failure('broken', { sentence: '文件没有打开，请检查网络后再点一次。' })
    }
  })
  const revealing = useAct(async (event: unknown) => {
    const code = await isAgreed() ? await host.phoneCode(event) : null
    if (code !== null)
      revealed.value = await post('/api/reports/reports/{report_id}/reveal', { ...path(), body: { code } })
  })
  const sending = useAct(async () => {
    const patient_id = data.value?.patient_id ?? ''
    sentTo.value = (await post('/api/account/patients/{patient_id}/proof-codes', { path: { patient_id } })).phone
  })
  const revealingByCode = useAct(async (sms_code: string) => {
    revealed.value = await post('/api/reports/reports/{report_id}/reveal', { ...path(), body: { sms_code } })
  })

  return {
    report, failed, way: computed(() => wayOn(failed.value, undefined)), isLoading, load, pictures, opening, revealing, sending, sentTo,
    revealingByCode,
  }
}
