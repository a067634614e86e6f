/** From page to page. A page's address is its file's, such as `/booking/doctor`. */

type Values = Record<string, string | undefined>

export function address(page: string, values: Values = {}): string {
  const pairs = Object.entries(values).filter((pair): pair is [string, string] => Boolean(pair[1]))
  return page + (pairs.length ? `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}` : '')
}

/** A value of a page's address as it was meant: WeChat hands it over as it was written, a browser has read it. */
export function meant(value: string | undefined): string {
  try {
    return decodeURIComponent(value ?? '')
  }
  catch {
    return value ?? ''
  }
}

/** A page on top of this one; back leads here. */
export function go(page: string, values: Values = {}): void {
  uni.navigateTo({ url: address(page, values) })
}

/** Instead of this page: back leads to where this one came from. */
export function goInstead(page: string, values: Values = {}): void {
  uni.redirectTo({ url: address(page, values) })
}

/** One of the tabs. */
export function goTab(page: string): void {
  uni.switchTab({ url: page })
}

/** Whether there is no page to go back to, and it is none of the tabs: opened by a message or a code. */
export function isOpenedAlone(): boolean {
  const pages = getCurrentPages()
  return pages.length === 1 && !pages[0]?.route?.startsWith('home/')
}

/** One page back; to the home page when there is none, as after a message was tapped. */
export function goBack(): void {
  if (getCurrentPages().length > 1)
    uni.navigateBack()
  else
    goTab('/home/home')
}
