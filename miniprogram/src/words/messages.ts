/** Messages in words. */

/** `3 条未读`; empty while it is not known. */
export function unreadText(unread: number | undefined): string {
  if (unread === undefined)
    return ''
  if (unread === 0)
    return '没有未读'
  return `${unread > 99 ? '99+' : unread} 条未读`
}
