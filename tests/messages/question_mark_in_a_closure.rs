//~ ERROR 8: type annotations needed
//~ NOTE: consider specifying the generic arguments

use squall::{Context, get, route};

fn main() {
    let count = async |cx: &mut Context| { cx.argument("n")?;
        Ok(()) };
    let _ = route("/", get(count));
}
