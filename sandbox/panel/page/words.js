/** Amounts, times and states, as they are read out. */

const format = options => new Intl.DateTimeFormat('zh-CN', { timeZone: 'Asia/Shanghai', hourCycle: 'h23', ...options })
const DAY = format({ month: 'long', day: 'numeric', weekday: 'short' })
const TIME = format({ hour: '2-digit', minute: '2-digit' })
const SECONDS = format({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
const PARTS = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai', dateStyle: 'short', timeStyle: 'short' })

export const yuan = fen => `¥${(fen / 100).toLocaleString('en', { minimumFractionDigits: 2 })}`
export const day = moment => DAY.format(new Date(moment))
export const time = moment => TIME.format(new Date(moment))
export const seconds = moment => SECONDS.format(new Date(moment))
export const dayAndTime = moment => `${day(moment)} ${time(moment)}`

/** A moment as the hospital's clock has it, for a field of type datetime-local: `2026-11-23T07:30`. */
export const local = moment => PARTS.format(new Date(moment)).replace(' ', 'T')

export const ORDER = { NOTPAY: '待支付', SUCCESS: '已支付', REFUND: '已支付，有退款', CLOSED: '已关闭' }
export const KIND = { LABORATORY: '检验', PRESCRIPTION: '处方', EXAMINATION: '检查', TREATMENT: '治疗', MATERIAL: '材料' }
export const BILL = {
  UNPAID: '未缴费', PAID: '已缴费', CANCELLED: '已作废', REFUNDED: '已退费', PARTLY_REFUNDED: '部分退费',
}
export const REGISTRATION = {
  LOCKED: '已锁号，等付款', CONFIRMED: '已确认', CANCELLED: '已退号', EXPIRED: '锁号过期', UNLOCKED: '已放号',
}
export const PERIOD = { MORNING: '上午', AFTERNOON: '下午', EVENING: '晚上' }
export const SYSTEM = {
  his: '医院 HIS', wechatpay: '微信支付', wechat: '微信', ebill: '电子票据', sms: '短信', cos: '文件存储 COS', cloud: '云接口', scf: '小程序',
}
export const TIMER = {
  'worker every-minute': '后台任务', 'refund every-minute': '退款', 'schedule_sync every-five-minutes': '取排班',
  'reconcile daily': '日终对账', 'reconcile every-ten-minutes': '查遗漏', 'housekeeping every-night': '夜间清理',
}
/** What a system was asked to do; what is not here is said as it is called. */
export const OPERATION = {
  list_departments: '取科室', list_doctors: '取医生', list_schedules: '取排班', match_patient: '建档', patient_file: '看档案', lock_registration: '锁号',
  unlock_registration: '放号', confirm_registration: '确认挂号', cancel_registration: '退号', check_in: '报到', check_trade: '查交易',
  list_trades: '取交易清单', check_visit: '核对就诊号', list_bills: '查账单', get_bill: '看账单明细', lock_charge: '锁账单', unlock_charge: '放账单',
  settle_charge: '结算账单', cancel_charge: '退账单', refundability: '问能否退费', list_desk_refunds: '取窗口退费',
  get_desk_refund: '看窗口退费', report_desk_refund: '回报窗口退费', event: '推送消息给小程序', code2session: '登录',
  stable_token: '取接口令牌', phone_number: '取手机号', send_message: '发订阅消息', create_order: '下单', query_order: '查订单',
  query_transaction: '查交易', close_order: '关单', create_refund: '申请退款', query_refund: '查退款', notice: '通知小程序',
  trade_bill: '取交易账单', fund_flow_bill: '取资金账单', download_bill: '下载账单', send_sms: '发短信', invoice_registration: '开挂号票',
  invoice_outpatient: '开门诊票', write_off: '冲红', states: '查票据', by_bus_date: '取当日票据', check_total: '核对票据总数',
  turn_paper: '换开纸质票', pdf: '取票据文件', put_object: '存文件', get_object: '取文件', head_object: '看文件', invoke: '叫醒云函数', route: '请求',
}
