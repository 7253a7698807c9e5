"""`schedule.every().day.do(job)`."""

import schedule


def job():
    loop.run_until_complete(pool.execute("DELETE FROM sessions"))


schedule.every().day.at("03:00").do(job)
