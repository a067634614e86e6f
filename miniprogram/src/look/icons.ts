/** Line pictures beside words, never in place of them. Drawn by Lucide (ISC); part of the package, so nothing is fetched. */
import largeType from 'lucide-static/icons/a-large-small.svg?raw'
import bell from 'lucide-static/icons/bell.svg?raw'
import calendarDays from 'lucide-static/icons/calendar-days.svg?raw'
import calendarPlus from 'lucide-static/icons/calendar-plus.svg?raw'
import clipboard from 'lucide-static/icons/clipboard-list.svg?raw'
import hospital from 'lucide-static/icons/hospital.svg?raw'
import hourglass from 'lucide-static/icons/hourglass.svg?raw'
import receipt from 'lucide-static/icons/receipt-text.svg?raw'
import report from 'lucide-static/icons/file-chart-column.svg?raw'
import shield from 'lucide-static/icons/shield-check.svg?raw'
import phone from 'lucide-static/icons/smartphone.svg?raw'
import way from 'lucide-static/icons/route.svg?raw'
import stethoscope from 'lucide-static/icons/stethoscope.svg?raw'
import message from 'lucide-static/icons/message-square-text.svg?raw'
import people from 'lucide-static/icons/users-round.svg?raw'
import wallet from 'lucide-static/icons/wallet.svg?raw'

const ACCENT = '#0b6e6e' // a picture can't see the page's custom properties

function drawn(svg: string): string {
  return `data:image/svg+xml,${encodeURIComponent(svg.replace(/<!--.*?-->/s, '').trim().replace('currentColor', ACCENT))}`
}

export const ICONS = {
  bell: drawn(bell),
  'calendar-days': drawn(calendarDays),
  'calendar-plus': drawn(calendarPlus),
  clipboard: drawn(clipboard),
  hospital: drawn(hospital),
  hourglass: drawn(hourglass),
  'large-type': drawn(largeType),
  message: drawn(message),
  people: drawn(people),
  phone: drawn(phone),
  receipt: drawn(receipt),
  report: drawn(report),
  shield: drawn(shield),
  stethoscope: drawn(stethoscope),
  way: drawn(way),
  wallet: drawn(wallet),
}

export type IconName = keyof typeof ICONS
