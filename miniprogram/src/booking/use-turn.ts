/**
 * The moment at which many want the same few places: waiting for the release and for the turn that the lot gives, by
 * the hospital's clock, and trying again where the hospital says "not yet".
 */
import type { Ref } from 'vue'
import { computed, ref, shallowRef, watch } from 'vue'
import type { Failure } from '@/api/errors'
import { failure } from '@/api/errors'
import { post } from '@/api/request'
import type { Act } from '@/parts/use-act'
import { host } from '@/platform'
import type { Turn } from './rules'
import { afterRefusal, aheadAt, turnOf } from './rules'

const SPREAD = 1500 // ms over which those come who need no ticket
const LATER = 1000 // ms until another try, when the hospital does not say
const TRIES = 8

export interface Waiting {
  scheduleId: () => string
  /** When it goes on sale; undefined: it is. In ms. */
  opensAt: () => number | undefined
  now: Readonly<Ref<number>>
  taking: Pick<Act<[ticket: string], { id: string } | undefined>, 'act' | 'failed'>
  chance?: () => number
}

export function useTurn({ scheduleId, opensAt, now, taking, chance = Math.random }: Waiting) {
  const turn = shallowRef<Turn>()
  const isWaiting = ref(false)
  const isInSight = ref(true)
  const at = ref(0)

  watch(isWaiting, isOn => host.keepAwake(isOn), { flush: 'sync' })

  async function draw(): Promise<void> {
    const drawn = await post('/api/booking/tickets', { body: { schedule_id: scheduleId() } })
    turn.value = turnOf(drawn, opensAt() ?? 0, now.value)
    at.value = turn.value.at + (turn.value.ticket ? 0 : chance() * SPREAD)
  }

  /** Until `at`, and until the page is in sight; false: given up. */
  function reached(): Promise<boolean> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isWaiting.value || (isInSight.value && now.value >= at.value)) {
          stop()
          resolve(isWaiting.value)
        }
      }
      const stop = watch([now, isWaiting, isInSight, at], look, { flush: 'sync' })
      look()
    })
  }

  /** Whether there is to be another try, and when. */
  async function isToGoOn(failed: Failure | undefined): Promise<boolean> {
    const next = failed ? afterRefusal(failed) : 'end'
    if (next === 'draw')
      await draw()
    if (next === 'later')
      at.value = now.value + Math.max(LATER, (failed?.wait ?? 0) * 1000) + chance() * LATER
    return next === 'draw' || next === 'later'
  }

  /**
   * Takes a place as soon as it may be taken: at once, at the release, or when the turn has come. Its registration's
   * id; undefined when it failed or was given up.
   */
  async function take(): Promise<string | undefined> {
    if (isWaiting.value)
      return undefined
    try {
      if (opensAt() !== undefined) {
        isWaiting.value = true
        await draw()
      }
      for (let tries = 0; tries < TRIES; tries++) {
        if (isWaiting.value && !await reached())
          return undefined
        const held = await taking.act(turn.value?.ticket ?? '')
        if (held || !await isToGoOn(taking.failed.value))
          return held?.id
        isWaiting.value = true
      }
      return undefined
    }
    catch (thrown) {
      taking.failed.value = failure(thrown)
      return undefined
    }
    finally {
      isWaiting.value = false
      turn.value = undefined
    }
  }

  return {
    take, isWaiting, turn,
    giveUp: () => void (isWaiting.value = false),
    /** Nothing is taken behind somebody's back: while the page is not in sight, it waits. */
    show: () => void (isInSight.value = true),
    hide: () => void (isInSight.value = false),
    ahead: computed(() => turn.value ? aheadAt(turn.value, now.value) : 0),
    /** When the next try is made, in ms. */
    at,
  }
}
