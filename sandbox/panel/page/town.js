/** The town: the control interface, below `/town/` of the address that serves this page, and the phone in the frame. */

const SAID = {
  'the order is paid': '这一单已经付过了。',
  'the order is closed': '这一单已经关闭，不能再付。',
  'the time for paying is over': '付款时间已过，微信不再收这笔钱。',
  'the sheet is closed': '付款单已经收起，请在手机上重新点支付。',
  'no phone with this openid': '这部手机是沙箱上一次启动时的，请点「换一部新手机」。',
}

/** What can't be done; `message` is a sentence for whoever pressed the button. */
export class Trouble extends Error {}

export async function town(method, path, body) {
  let answer
  try {
    answer = await fetch(`/town${path}`, {
      method, headers: { 'Content-Type': 'application/json' }, body: method === 'GET' ? undefined : JSON.stringify(body ?? {}),
    })
  }
  catch {
    throw new Trouble('沙箱没有回应，它可能已经停了。')
  }
  const text = await answer.text()
  if (!answer.ok)
    throw new Trouble(sentence(text))
  return text ? JSON.parse(text) : null
}

function sentence(text) {
  let error = text.slice(0, 200)
  try {
    error = String(JSON.parse(text).error)
  }
  catch {} // no JSON: said as it is
  if (error.startsWith('something is still under way'))
    return '还有事情没办完，时间先不动。请稍后再试，或先让所有系统恢复正常。'
  // The hospital says what is wrong in Chinese, after its code.
  return SAID[error] ?? `没有成功：${/^[A-Z_]+[^:]*: /.test(error) ? error.replace(/^[^:]*: /, '') : error}`
}

/** What the mini-program keeps in this browser, by uni-app's own form. */
function kept(name) {
  const text = localStorage.getItem(name)
  return text === null ? null : JSON.parse(text).data ?? null
}

/** The phone in the frame: `openid` and `phone`; null while it has none yet. */
export const phone = () => kept('browser:phone')

/** Asks the functions for something as the phone in the frame does; null when it is not signed in, or refused. */
export async function asPhone(path) {
  const session = kept('session')
  if (session === null)
    return null
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${session.token}`, 'X-Client-Secret': session.secret } })
  return answer.ok ? await answer.json() : null
}

/** Opens a page in the frame, as a tap on a message does; '' is the home page. */
export function show(page) {
  const { location } = document.getElementById('phone').contentWindow
  location.replace(`/#/${page}`)
  location.reload()
}

/** The page that the frame shows. */
export const shownPage = () => document.getElementById('phone').contentWindow.location.hash

/** Throws the phone away; the frame takes a new one. */
export function newPhone() {
  localStorage.clear()
  show('')
}
