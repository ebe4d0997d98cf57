//~ ERROR 17: the body of a request can be taken only once
//~ NOTE: this function has two parameters that take it
//~ ERROR 18: the body of a request can be taken only once
//~ NOTE: `Json<T>`, `Form<T>`, `Bytes`, `Content`, `BodyText` and `Body` each take the body

use squall::{Bytes, Form, Json, post, route};

async fn json_and_bytes(Json(_number): Json<u8>, _id: u64, bytes: Bytes) -> Bytes {
    bytes
}

async fn form_or_json(form: Option<Form<u8>>, _json: Option<Json<u8>>) -> String {
    form.map(|Form(number)| number.to_string()).unwrap_or_default()
}

fn main() {
    let _ = route("/{id}", post(json_and_bytes));
    let _ = route("/", post(form_or_json));
}
