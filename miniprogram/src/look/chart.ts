/** A line of values over time as a picture: what is usual is a band, what lies outside has a cross and not a dot. */

export interface Plotted {
  /** Where it lies, 0 to 1, from the left and from below. */
  x: number
  y: number
  isOutside: boolean
}

const WIDTH = 320
const HEIGHT = 160
const EDGE = 14
const [ACCENT, BAND, LINE, BAD] = ['#0b6e6e', '#e6f4ec', '#d9e0e4', '#b3261e'] // a picture can't see the page's custom properties

/** `band`: from where to where what is usual reaches, 0 to 1 from below. */
export function lineChart(points: readonly Plotted[], band: { from: number, to: number } | undefined): string {
  const across = (x: number) => (EDGE + x * (WIDTH - 2 * EDGE)).toFixed(1)
  const down = (y: number) => (EDGE + (1 - y) * (HEIGHT - 2 * EDGE)).toFixed(1)
  const rest = band
    ? `<rect x="0" y="${down(band.to)}" width="${WIDTH}" height="${(Number(down(band.from)) - Number(down(band.to))).toFixed(1)}" fill="${BAND}"/>`
    : ''
  const path = points.map(one => `${across(one.x)},${down(one.y)}`).join(' ')
  const marks = points.map((one) => {
    const [x, y] = [Number(across(one.x)), Number(down(one.y))]
    return one.isOutside
      ? `<path d="M${x - 5} ${y - 5}l10 10m0 -10l-10 10" stroke="${BAD}" stroke-width="3"/>`
      : `<circle cx="${x}" cy="${y}" r="5" fill="${ACCENT}"/>`
  }).join('')
  return `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}"><rect width="${WIDTH}" height="${HEIGHT}" fill="none" stroke="${LINE}"/>`
    + `${rest}<polyline points="${path}" fill="none" stroke="${ACCENT}" stroke-width="2"/>${marks}</svg>`)}`
}
