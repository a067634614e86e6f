import { expect, it } from 'vitest'
import { Failure } from '../../src/api/errors'
import { useLoad } from '../../src/parts/use-load'

/** Fetches that end when, and in the order in which, the test says so. */
function fetches() {
  const open: { answer: (value: string) => void, fail: (why: Error) => void }[] = []
  const load = useLoad(() => new Promise<string>((answer, fail) => open.push({ answer, fail })))
  return { ...load, open }
}

it('of several under way only the last one counts, and who waits for any of them sees it', async () => {
  const { data, load, open, isLoading } = fetches()
  let seen: string | undefined
  const first = load().then(() => seen = data.value)
  const second = load()
  open[0]?.answer('old')
  await Promise.resolve()
  expect([data.value, seen]).toEqual([undefined, undefined])
  open[1]?.answer('new')
  await Promise.all([first, second])
  expect([data.value, seen, isLoading.value]).toEqual(['new', 'new', false])
})

it('keeps what it had when a newer fetch fails, and says so', async () => {
  const { data, failed, load, open } = fetches()
  const first = load()
  open[0]?.answer('there')
  await first
  const second = load()
  open[1]?.fail(new Failure('offline'))
  await second
  expect([data.value, failed.value?.trouble]).toEqual(['there', 'offline'])
})
