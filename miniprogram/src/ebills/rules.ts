/** What an e-bill's state means for who holds it. */

interface Ebill {
  state: string
  has_file: boolean
}

export function meaning(one: Ebill): string {
  switch (one.state) {
    case 'ORDERED':
      return '正在开具，一般几分钟就好，开好后在这里查看。不影响看病取药。'
    case 'ISSUED':
      return one.has_file ? '可以打开、保存或转发，用于报销。' : '票据已开具，文件正在生成，稍后可以打开。'
    case 'WRITING_OFF':
      return '费用有退款，这张票据正在作废（冲红），请不要再用它报销。'
    case 'WRITTEN_OFF':
      return '费用已退，这张票据已作废（冲红），不能用于报销。只退了一部分的，会另开一张新的。'
    case 'ON_PAPER':
      return '已在窗口换成纸质票据，请以纸质票据为准。'
    default:
      return ''
  }
}

/** Something goes on by itself: it is worth asking again. */
export function isUnderWay(one: Ebill): boolean {
  return one.state === 'ORDERED' || one.state === 'WRITING_OFF' || (one.state === 'ISSUED' && !one.has_file)
}
