//! The derive macro of [retrograd](https://docs.rs/retrograd), which re-exports and documents it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Fields, GenericParam, Generics, Ident, Index, Member, Result, Type, TypeParamBound,
    WherePredicate, parse_macro_input, parse_quote,
};

/// Implements a tree of arrays for a struct: see `retrograd::Tree`.
#[proc_macro_derive(Tree)]
pub fn derive_tree(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    Struct::read(input).map(|item| item.implementations()).unwrap_or_else(Error::into_compile_error).into()
}

/// A struct that a tree can be derived for.
struct Struct {
    name: Ident,
    generics: Generics,
    fields: Vec<Field>,
    /// Whether the fields have names; those of a tuple struct have positions.
    named: bool,
}

struct Field {
    member: Member,
    /// Its component of the names of leaves.
    place: TokenStream,
    /// The variable that holds it.
    local: Ident,
    ty: Type,
}

impl Struct {
    fn read(input: DeriveInput) -> Result<Struct> {
        let fields = match input.data {
            Data::Struct(data) => data.fields,
            Data::Enum(data) => return Err(Error::new(data.enum_token.span, NOT_A_STRUCT)),
            Data::Union(data) => return Err(Error::new(data.union_token.span, NOT_A_STRUCT)),
        };
        check_parameters(&input.generics)?;
        if !fields.is_empty() && input.generics.type_params().next().is_none() {
            return Err(Error::new(input.ident.span(), NO_PARAMETER));
        }
        let named = matches!(fields, Fields::Named(_));
        let fields = fields.into_iter().enumerate().map(|(position, field)| Field::read(position, field)).collect();
        Ok(Struct { name: input.ident, generics: input.generics, fields, named })
    }

    fn implementations(&self) -> TokenStream {
        [self.for_to_tree(), self.for_from_tree(), self.for_type_tree(), self.for_var_tree()].into_iter().collect()
    }

    fn for_to_tree(&self) -> TokenStream {
        let header = self.header(quote!(::retrograd::value::ToTree));
        let parts = self.fields.iter().map(|Field { member, ty, .. }| {
            quote_spanned!(ty.span()=> <#ty as ::retrograd::value::ToTree>::to_tree(&self.#member))
        });
        let tree = self.tree(parts);
        let (locals, borrowed) = (self.fields.iter().map(|field| &field.local), self.borrow_parts());
        let pushed = self.fields.iter().map(|Field { member, local, ty, .. }| {
            quote_spanned!(ty.span()=>
                <#ty as ::retrograd::value::ToTree>::push_numbers(&self.#member, #local, numbers))
        });
        quote! {
            #header {
                fn to_tree(&self) -> ::retrograd::value::Tree<::retrograd::value::LeafRef<'_>> {
                    #tree
                }

                fn push_numbers(
                    &self,
                    structure: &::retrograd::value::Tree<::retrograd::value::Type>,
                    numbers: &mut ::retrograd::value::Numbers,
                ) -> bool {
                    let ::core::option::Option::Some([#(#locals),*]) = structure.#borrowed else { return false };
                    true #(&& #pushed)*
                }
            }
        }
    }

    fn for_from_tree(&self) -> TokenStream {
        let header = self.header(quote!(::retrograd::value::FromTree));
        let locals = self.fields.iter().map(|field| &field.local);
        let fields = self.fields.iter().map(|Field { member, place, local, ty }| {
            let value = quote_spanned!(ty.span()=> <#ty as ::retrograd::value::FromTree>::from_tree(#local));
            quote!(#member: #value.map_err(|error| error.within(#place))?)
        });
        let (parts, borrowed) = (self.take_parts(), self.borrow_parts());
        let borrowed_locals = self.fields.iter().map(|field| &field.local);
        let numbers = self.fields.iter().map(|Field { member, local, ty, .. }| {
            let value = quote_spanned!(ty.span()=>
                <#ty as ::retrograd::value::FromTree>::from_numbers(#local, numbers));
            quote!(#member: #value?)
        });
        quote! {
            #header {
                fn from_tree(
                    tree: ::retrograd::value::Tree<::retrograd::value::Leaf>,
                ) -> ::core::result::Result<Self, ::retrograd::error::ArgumentError> {
                    let [#(#locals),*] = tree.#parts?;
                    ::core::result::Result::Ok(Self { #(#fields),* })
                }

                fn from_numbers(
                    structure: &::retrograd::value::Tree<::retrograd::value::Type>,
                    numbers: &mut ::core::slice::Iter<'_, f64>,
                ) -> ::core::option::Option<Self> {
                    let [#(#borrowed_locals),*] = structure.#borrowed?;
                    ::core::option::Option::Some(Self { #(#numbers),* })
                }
            }
        }
    }

    fn for_type_tree(&self) -> TokenStream {
        let header = self.header(quote!(::retrograd::transform::TypeTree));
        let parts = self.fields.iter().map(|Field { member, ty, .. }| {
            quote_spanned!(ty.span()=> <#ty as ::retrograd::transform::TypeTree>::types(&self.#member))
        });
        let tree = self.tree(parts);
        quote! {
            #header {
                fn types(&self) -> ::retrograd::value::Tree<::retrograd::value::Type> {
                    #tree
                }
            }
        }
    }

    fn for_var_tree(&self) -> TokenStream {
        let header = self.header(quote!(::retrograd::VarTree));
        let (name, replaced) = (&self.name, self.replaced());
        let vars = self.tree(self.fields.iter().map(
            |Field { member, ty, .. }| quote_spanned!(ty.span()=> <#ty as ::retrograd::VarTree>::vars(&self.#member)),
        ));
        let locals = self.fields.iter().map(|field| &field.local);
        let parts = self.take_parts();
        let taken = self.fields.iter().map(|Field { member, place, local, ty }| {
            let value = quote_spanned!(ty.span()=> <#ty as ::retrograd::VarTree>::from_vars(&#local));
            quote!(#member: #value.map_err(|error| error.within(#place))?)
        });
        let replace = self.fields.iter().map(|Field { member, ty, .. }| {
            let value = quote_spanned!(ty.span()=> <#ty as ::retrograd::VarTree>::replace(&self.#member, leaf));
            quote!(#member: #value)
        });
        let map = self.fields.iter().map(|Field { member, ty, .. }| {
            let value = quote_spanned!(ty.span()=> <#ty as ::retrograd::VarTree>::map(&self.#member, leaf));
            quote!(#member: #value)
        });
        quote! {
            #header {
                type Replace<__T: ::retrograd::VarTree> = #name #replaced;

                fn vars(&self) -> ::retrograd::value::Tree<::retrograd::Var> {
                    #vars
                }

                fn from_vars(
                    tree: &::retrograd::value::Tree<::retrograd::Var>,
                ) -> ::core::result::Result<Self, ::retrograd::error::ArgumentError> {
                    let [#(#locals),*] = ::core::clone::Clone::clone(tree).#parts?;
                    ::core::result::Result::Ok(Self { #(#taken),* })
                }

                fn replace<__T: ::retrograd::VarTree>(
                    &self,
                    leaf: &mut dyn ::core::ops::FnMut(::retrograd::Var) -> __T,
                ) -> Self::Replace<__T> {
                    #name { #(#replace),* }
                }

                fn map(&self, leaf: &mut dyn ::core::ops::FnMut(::retrograd::Var) -> ::retrograd::Var) -> Self {
                    Self { #(#map),* }
                }
            }
        }
    }

    /// `impl<T: Trait> Trait for Struct<T>`.
    fn header(&self, bound: TokenStream) -> TokenStream {
        let mut generics = self.generics.clone();
        for parameter in generics.type_params_mut() {
            parameter.bounds.push(parse_quote!(#bound));
        }
        let name = &self.name;
        let (parameters, arguments, clause) = generics.split_for_impl();
        quote!(#[automatically_derived] impl #parameters #bound for #name #arguments #clause)
    }

    /// The generic arguments of the struct with its leaf type replaced by `__T`.
    fn replaced(&self) -> TokenStream {
        let arguments = self.generics.params.iter().map(|parameter| match parameter {
            GenericParam::Type(parameter) => {
                let name = &parameter.ident;
                quote!(<#name as ::retrograd::VarTree>::Replace<__T>)
            }
            GenericParam::Const(parameter) => {
                let name = &parameter.ident;
                quote!(#name)
            }
            GenericParam::Lifetime(parameter) => quote!(#parameter),
        });
        quote!(<#(#arguments),*>)
    }

    /// An expression for the tree of these parts.
    fn tree(&self, parts: impl Iterator<Item = TokenStream>) -> TokenStream {
        if self.named {
            let places = self.fields.iter().map(|field| &field.place);
            quote!(::retrograd::value::Tree::Struct(::std::vec![#((#places, #parts)),*]))
        } else {
            quote!(::retrograd::value::Tree::Tuple(::std::vec![#(#parts),*]))
        }
    }

    /// The method call that takes a tree apart.
    fn take_parts(&self) -> TokenStream {
        if self.named {
            let places = self.fields.iter().map(|field| &field.place);
            quote!(into_fields([#(#places),*]))
        } else {
            quote!(into_components())
        }
    }

    /// The method call that borrows a tree's parts.
    fn borrow_parts(&self) -> TokenStream {
        if self.named {
            let places = self.fields.iter().map(|field| &field.place);
            quote!(fields([#(#places),*]))
        } else {
            quote!(components())
        }
    }
}

impl Field {
    fn read(position: usize, field: syn::Field) -> Field {
        let local = format_ident!("part_{position}");
        match field.ident {
            Some(name) => {
                let place = name.unraw().to_string();
                Field { member: Member::Named(name), place: quote!(#place), local, ty: field.ty }
            }
            None => {
                Field { member: Member::Unnamed(Index::from(position)), place: quote!(#position), local, ty: field.ty }
            }
        }
    }
}

const NOT_A_STRUCT: &str =
    "derive(Tree): only a struct can be a tree, because all values of a tree type have the same leaves";
const NO_PARAMETER: &str = "derive(Tree): the type of the leaves must be a parameter, as in `struct Params<T> { w: T }`, \
     because it is `Var` in a traced function, and a number or an array outside";
const LIFETIME: &str = "derive(Tree): a tree owns its leaves, so it cannot have lifetime parameters; use `&Array` as the \
                        type of the leaves instead";
const BOUND: &str = "derive(Tree): the type of the leaves can have no bounds but `Clone`, because a leaf is a `Var` in a \
                     traced function and a number or an array outside; put other bounds on the functions that need them";

/// Checks that every kind of leaf can be substituted for the parameters.
fn check_parameters(generics: &Generics) -> Result<()> {
    if let Some(lifetime) = generics.lifetimes().next() {
        return Err(Error::new(lifetime.span(), LIFETIME));
    }
    for parameter in generics.type_params() {
        parameter.bounds.iter().try_for_each(check_bound)?;
    }
    for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        match predicate {
            WherePredicate::Type(predicate) => predicate.bounds.iter().try_for_each(check_bound)?,
            other => return Err(Error::new(other.span(), BOUND)),
        }
    }
    Ok(())
}

/// Checks that a bound is `Clone`, which all trees of variables implement.
fn check_bound(bound: &TypeParamBound) -> Result<()> {
    match bound {
        TypeParamBound::Trait(bound) if bound.path.segments.last().is_some_and(|last| last.ident == "Clone") => Ok(()),
        other => Err(Error::new(other.span(), BOUND)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the error for a type that cannot be a tree, and its position.
    fn check_error(item: &str, expected: &str, place: &str) {
        let input: DeriveInput = syn::parse_str(item).expect("the test's own item");
        let error = Struct::read(input).err().unwrap_or_else(|| panic!("{item} is accepted"));
        assert_eq!(error.to_string(), expected, "{item}");
        assert_eq!(error.span().start().column, item.find(place).expect("the test's own place"), "{item}");
    }

    #[test]
    fn unsupported_types_are_errors_at_their_position() {
        check_error("enum Shape<T> { Circle(T), Square(T) }", NOT_A_STRUCT, "enum");
        check_error("union Bits<T: Copy> { a: T, b: u64 }", NOT_A_STRUCT, "union");
        check_error("struct Line { slope: f64 }", NO_PARAMETER, "Line");
        check_error("struct Line<const N: usize>([f64; N]);", NO_PARAMETER, "Line");
        check_error("struct Line<'a, T> { slope: &'a T }", LIFETIME, "'a");
        check_error("struct Line<T: Clone + Float> { slope: T }", BOUND, "Float");
        check_error("struct Line<T> where T: Clone, Vec<T>: Debug { slope: T }", BOUND, "Debug");
        check_error("struct Line<T> where T: 'static { slope: T }", BOUND, "'static");
    }

    #[test]
    fn structs_are_accepted() {
        for item in [
            "struct Nothing;",
            "struct Empty {}",
            "struct Pair<T>(T, T);",
            "struct Mlp<T: Clone, const N: usize> where T: Clone { layers: [Layer<T>; N], r#type: T }",
        ] {
            let input: DeriveInput = syn::parse_str(item).expect("the test's own item");
            let code = Struct::read(input).unwrap_or_else(|error| panic!("{item}: {error}")).implementations();
            assert_eq!(code.to_string().matches("automatically_derived").count(), 4, "{item}");
        }
    }
}
