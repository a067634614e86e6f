import { computed } from 'vue'
import { get, put } from '@/api/request'
import { useAct } from '@/parts/use-act'
import { useLoad } from '@/parts/use-load'
import { host } from '@/platform'
import { report } from '@/session/messages'
import { choiceOf } from './rules'

/** Every kind of message with its choice, and taking it. */
export function useSettings() {
  const { data, failed, isLoading, load } = useLoad(async () => {
    const [told, phone] = await Promise.all([get('/api/messages/subscriptions'), host.messageSettings()])
    return { kinds: told.kinds, phone }
  })
  const rows = computed(() => data.value?.kinds.map(one => ({ ...one, choice: choiceOf(one, data.value?.phone ?? null) })))
  const isOff = computed(() => data.value?.phone?.isOn === false)

  const changing = useAct(async (does: 'ask' | 'settings', templateId: string) => {
    if (does === 'settings')
      await host.openSettings()
    else
      await report(await host.askToSend([templateId]))
    await load()
  })

  const wishes = useLoad(async () => (await get('/api/guide/steps')).steps)
  const choosing = useAct(async (kind: string, wanted: boolean) => {
    await put('/api/guide/steps/{kind}', { path: { kind }, body: { wanted } })
    await wishes.load()
  })

  return { wishes: wishes.data, loadWishes: wishes.load, choosing, rows, isOff, failed, isLoading, load, changing }
}
