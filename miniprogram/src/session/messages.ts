/** Leave to send messages: asked in the very tap that makes them worth having, so what to ask for is fetched before. */
import { get } from '@/api/request'
import { host } from '@/platform'

const fetched = new Map<string, readonly string[]>()

/** Fetch what a scene would ask for. What can't be fetched is not asked for: no message is worth stopping a person. */
export async function prepareToAsk(scene: string): Promise<void> {
  if (fetched.has(scene))
    return
  try {
    fetched.set(scene, (await get('/api/account/message-templates', { query: { scene } })).template_ids)
  }
  catch {
    fetched.delete(scene)
  }
}

/** Ask now, in a tap: nothing may be awaited before this. */
export function askToSend(scene: string): Promise<void> {
  return host.askToSend(fetched.get(scene) ?? [])
}
