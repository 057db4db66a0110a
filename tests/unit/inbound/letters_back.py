"""Mails as servers send them back. Made of what Postfix, Exchange and a feedback loop really write."""

from __future__ import annotations

BOUNCE = """\
Return-Path: <>
Date: Mon,  2 Mar 2026 12:00:05 +0000 (UTC)
From: MAILER-DAEMON@relay.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4F1A.1772452805/relay.example.org"
Message-Id: <{id}@relay.example.org>

This is a MIME-encapsulated message.

--4F1A.1772452805/relay.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--4F1A.1772452805/relay.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.org
X-Postfix-Queue-ID: 4F1A
X-Postfix-Sender: rfc822; {to}
Arrival-Date: Mon,  2 Mar 2026 12:00:00 +0000 (UTC)

Final-Recipient: rfc822; jane@example.net
Original-Recipient: rfc822;jane@example.net
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.net
Diagnostic-Code: {said}

--4F1A.1772452805/relay.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <{to}>
From: Outreach <act@act.example.org>
To: jane@example.net
Subject: Please confirm

--4F1A.1772452805/relay.example.org--
"""

COMPLAINT = """\
Return-Path: <fbl@mailbox.example.com>
From: <fbl@mailbox.example.com>
To: <abuse@example.org>
Subject: complaint about message from 192.0.2.1
Message-ID: <{id}@mailbox.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--b1
Content-Type: message/feedback-report

Feedback-Type: {feedback}
User-Agent: SomeGenerator/1.0
Version: 1
{original}
--b1
Content-Type: message/rfc822
Content-Disposition: inline

{quoted}From: Outreach <news@news.example.org>
To: <redacted@mailbox.example.com>
Subject: News
Content-Type: text/plain

News.

--b1--
"""


def bounce(
    to: str = "b-x@replies.example.org",
    *,
    action: str = "failed",
    status: str = "5.1.1",
    said: str = "smtp; 550 5.1.1 <jane@example.net>: Recipient address rejected: User unknown",
    id_: str = "20260302120005.4F1A",
) -> bytes:
    return BOUNCE.format(to=to, action=action, status=status, said=said, id=id_).encode()


def complaint(
    original_mail_from: str = "", *, feedback: str = "abuse", return_path: str = "", id_: str = "c1"
) -> bytes:
    original = f"Original-Mail-From: <{original_mail_from}>\n" if original_mail_from else ""
    quoted = f"Return-Path: <{return_path}>\n" if return_path else ""
    return COMPLAINT.format(feedback=feedback, original=original, quoted=quoted, id=id_).encode()


def plain(to: str, *, subject: str = "hello", body: str = "Hello.", **headers: str) -> bytes:
    """A mail as people write it. `headers`: underscores for dashes."""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return f"From: jane@example.net\nTo: {to}\nSubject: {subject}\n{more}\n{body}\n".encode()
