/** What goes on while a page is in sight, and not when it is not. */
import { onHide, onShow, onUnload } from '@dcloudio/uni-app'

export function whileInSight(begin: () => void, end: () => void): void {
  onShow(begin)
  onHide(end)
  onUnload(end)
}
