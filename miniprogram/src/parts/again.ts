/** Trying again after something that could not be fetched. Who has signed out signs in by the same tap. */
import type { Failure } from '@/api/errors'
import { enter, SIGNED_OUT } from '@/session/session'

export function againText(failed: Failure | undefined): string {
  return failed?.code === SIGNED_OUT ? '登录' : '重试'
}

/** Before it is fetched again. Never raises: what is still wrong, the fetch will say. */
export async function beforeAgain(failed: Failure | undefined): Promise<void> {
  if (failed?.code === SIGNED_OUT)
    await enter().catch(() => undefined)
}
