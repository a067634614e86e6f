/** Leave to send messages: asked in the very tap that makes them worth having, so what to ask for is fetched before. */
import type { Answers } from '@/platform'
import { get, post } from '@/api/request'
import { host } from '@/platform'

const fetched = new Map<string, readonly string[]>()

/** Fetch what a scene would ask for. What can't be fetched is not asked for: no message is worth stopping a person. */
export async function prepareToAsk(scene: string, anew = false): Promise<void> {
  if (fetched.has(scene) && !anew)
    return
  try {
    fetched.set(scene, (await get('/api/messages/templates', { query: { scene } })).template_ids)
  }
  catch {
    fetched.delete(scene)
  }
}

/** Ask now, in a tap: nothing may be awaited before this. The hospital hears of the answers behind the person's back. */
export async function askToSend(scene: string): Promise<void> {
  const answers = await host.askToSend(fetched.get(scene) ?? [])
  void reportAndPrepare(scene, answers)
}

async function reportAndPrepare(scene: string, answers: Answers): Promise<void> {
  if (await report(answers))
    await prepareToAsk(scene, true) // a template that was banned is not asked for again
}

/** Tell the hospital what was answered. False: there is nothing to tell, or it did not arrive; sending shows it anyway. */
export async function report(answers: Answers): Promise<boolean> {
  const told = Object.entries(answers).map(([template_id, answer]) => ({ template_id, answer }))
  if (!told.length)
    return false
  try {
    await post('/api/messages/subscriptions', { body: { answers: told }, intention: `messages ${JSON.stringify(told)}` })
    return true
  }
  catch {
    return false
  }
}
