import { computed, ref } from 'vue'
import { Failure } from '@/api/errors'
import { get, post } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useAsking } from '@/parts/use-asking'
import { useLoad } from '@/parts/use-load'
import { wayOn } from '@/parts/way-on'
import { host } from '@/platform'
import { isUnderWay } from './rules'

/** One e-bill: its PDF, and the way to the province's mini-program. */
export function useEbill(id: () => string) {
  const path = () => ({ path: { invoice_id: id() } })
  const { data, failed, isLoading, load } = useLoad(() => get('/api/invoice/invoices/{invoice_id}', path()))
  const isHere = ref(true)

  const opening = useAct(async () => {
    const { url } = await post('/api/invoice/invoices/{invoice_id}/link', path())
    try {
      await host.openDocument(url)
    }
    catch {
      throw new Failure('broken', { sentence: '票据文件没有打开，请检查网络后再点一次。' })
    }
  })

  /** When the host can't jump, the page says how it is done by hand. */
  const jumping = useAct(async () => {
    const jump = data.value?.jump
    if (jump)
      isHere.value = await host.jumpTo(jump.app_id, jump.path)
  })

  return {
    ebill: data, failed, way: computed(() => wayOn(failed.value, undefined)), isLoading, load, opening, jumping,
    cannotJump: computed(() => !isHere.value),
    asking: useAsking(() => data.value !== undefined && isUnderWay(data.value), load),
  }
}
