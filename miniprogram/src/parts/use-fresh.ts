import { onPullDownRefresh, onShow } from '@dcloudio/uni-app'

/** What a page shows is fetched when the page comes into sight, and when it is pulled down. */
export function useFresh(load: () => Promise<unknown>): void {
  onShow(() => void load())
  onPullDownRefresh(() => load().finally(() => uni.stopPullDownRefresh()))
}
