//! The body of a request as shops get it, in each of the forms that bodies have: the same for all benchmarks.

use std::fmt::Write;

const ORDERS: usize = 55;

/// 10 KiB with 389 values: orders of 7 values, and 4 values around them.
#[must_use]
pub fn json() -> String {
    let mut json =
        "{\"user\":\"m\u{fc}ller@example.com\",\"shop\":{\"id\":17,\"open\":true},\"orders\":["
            .to_owned();
    for order in 0..ORDERS {
        let comma = if order == 0 { "" } else { "," };
        let _ = write!(
            json,
            "{comma}{{\"id\":{},\"name\":\"An article, size {order}, in a box\",\"price\":{order}.95,\
             \"tags\":[\"new\",\"red \\\"x\\\"\"],\"address\":{{\"street\":\"Long street {order}, \
             second floor, at the back, near the lift\",\"city\":null}}}}",
            100_000 + order
        );
    }
    json.push_str("],\"note\":\"Please ring twice.\\nThank you!\"}");
    json
}

/// A form with 332 values.
#[must_use]
pub fn form() -> String {
    let mut form = "user=m%C3%BCller%40example.com&open=1".to_owned();
    for order in 0..ORDERS {
        let _ = write!(
            form,
            "&id={}&name=An+article%2C+size+{order}&price={order}.95&tags%5B%5D=new\
             &street=Long+street+{order}%2C+second+floor&city=",
            100_000 + order
        );
    }
    form
}

/// Multipart, its boundary `0000`: 55 values and a file.
#[must_use]
pub fn multipart() -> String {
    let mut body = String::new();
    for order in 0..ORDERS {
        let _ = write!(
            body,
            "--0000\r\nContent-Disposition: form-data; name=\"name[{order}]\"\r\n\r\n\
             An article, size {order}, Long street {order}, second floor\r\n"
        );
    }
    body.push_str(
        "--0000\r\nContent-Disposition: form-data; name=\"file\"; filename=\"orders.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n",
    );
    for order in 0..ORDERS {
        let _ = write!(
            body,
            "{};An article;{order}.95;-- second floor\r\n",
            100_000 + order
        );
    }
    body.push_str("\r\n--0000--\r\n");
    body
}

/// SOAP with 275 values.
#[must_use]
pub fn xml() -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:Envelope \
        xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><orders>\n"
        .to_owned();
    for order in 0..ORDERS {
        let _ = write!(
            xml,
            "  <order id=\"{}\" currency=\"EUR\">\n    <name>An article &amp; size {order}</name>\n    \
             <price>{order}.95</price>\n    <street>Long street {order}, second floor</street>\n  \
             </order>\n",
            100_000 + order
        );
    }
    xml.push_str("</orders></s:Body></s:Envelope>\n");
    xml
}
